//! What the author of a test plan imports: parameters, events, metrics, sync client, recorders.
