"""Models out: the adapter merged into its base, as a folder that vLLM loads."""
