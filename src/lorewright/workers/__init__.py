"""Programs that run inside the train, serve or export environment; they import nothing of lorewright."""
