//! One figure for how well it goes.
