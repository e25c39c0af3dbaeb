//! What the fuzz targets run. The project's tests run the same over the corpora.

#[path = "../../tests/it/fuzz.rs"]
pub mod checks;
