"""The production engine: the language model in vLLM's processes; ears, eyes
and voice beside them in ours."""
