"""A merged model for llama.cpp and Ollama: GGUF types, the Modelfile with its template, the card beside them."""
