//! What is usual at this hour of the week.
