"""Two raylets on this machine with our application on them; run by the environment that has Ray.

Options of the application come as JSON on the command line. On standard output: "serving", then the
states of all replicas, as JSON, whenever they have changed. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from ray import serve
from ray.cluster_utils import Cluster

from server.ray_serve import RayOptions, application

OBJECT_STORE = 80 * 2**20  # bytes: the least that Ray takes; no objects are kept in it
LOOK_SECONDS = 0.3


def start(port: int, options: dict[str, Any]) -> Cluster:
    """One CPU on each raylet, and so at most one replica."""
    node = {"num_cpus": 1, "object_store_memory": OBJECT_STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="warning")
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    serve.run(application(RayOptions(**options)))
    return cluster


async def states() -> dict[str, str]:
    """The state of each replica, by its name."""
    controller = ray.get_actor("SERVE_CONTROLLER_ACTOR", namespace="serve")
    details = await controller.get_serve_instance_details.remote()
    return {
        each["replica_id"]: str(getattr(each["state"], "value", each["state"]))
        for one in details["applications"].values()
        for deployment in one["deployments"].values()
        for each in deployment["replicas"]
    }


async def tell() -> None:
    """Until standard input ends."""
    reading = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    before: dict[str, str] | None = None
    while not reading.done():
        now = await states()
        if now != before:
            print(json.dumps(now), flush=True)  # noqa: T201  what the test reads
        before = now
        await asyncio.sleep(LOOK_SECONDS)


def main() -> None:
    cluster = start(int(sys.argv[1]), json.loads(sys.argv[2]))
    try:
        print("serving", flush=True)  # noqa: T201
        asyncio.run(tell())
    finally:
        serve.shutdown()
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
