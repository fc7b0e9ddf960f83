"""The widgets. They know the models and the tokens, never the engine, its worker or the store."""
