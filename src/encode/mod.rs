//! Incidents to bytes.
