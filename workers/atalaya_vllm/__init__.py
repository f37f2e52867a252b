"""vLLM 0.10.2 as a library behind engine.proto, with what its model code gets wrong put right."""
