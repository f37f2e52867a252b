"""Llama 3.2 Vision on Hugging Face Transformers: its own modules and weights, our batches around them."""
