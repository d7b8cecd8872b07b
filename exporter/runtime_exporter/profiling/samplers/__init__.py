"""Where stacks come from: four samplers behind one protocol, and the choice between them."""
