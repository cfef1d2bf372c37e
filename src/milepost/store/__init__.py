"""Everything durable: one Protocol (`milepost.ports.Store`), hand-written SQL in named files."""
