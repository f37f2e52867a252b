"""What every Python worker has: the service of engine.proto on a Unix socket, and an end with its parent.

An engine is a package `atalaya_ENGINE` beside this one whose module `load` has a function of the type
`service.EngineLoader`. It is imported when a model is loaded, so that a worker listens before PyTorch
has been read.
"""
