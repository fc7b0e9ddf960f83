"""Making models: data, the recipes, training of a network and distillation of its head."""
