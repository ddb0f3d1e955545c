//! What was measured, at three resolutions.
