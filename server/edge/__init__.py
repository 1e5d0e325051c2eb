"""What stands between the network and the application: connections, frames, hosts, visitors."""
