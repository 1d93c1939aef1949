"""Every knob, as typed config objects; Hydra composes them, forms edit them, runs save them resolved."""
