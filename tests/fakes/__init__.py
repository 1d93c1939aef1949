"""Hand-written stand-ins for what surrounds a presenter: background work, a clock, memory."""
