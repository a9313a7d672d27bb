"""vLLM serves; this writes its configuration, waits for it and shows what it does."""
