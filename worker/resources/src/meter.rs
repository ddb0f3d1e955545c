//! Two samples make a measurement.
