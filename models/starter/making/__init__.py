"""How the starter model is made: corpus, tokenizer, prose and chats as tokens, training, export. `train.py` beside this package runs it."""
