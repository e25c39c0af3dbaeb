//! FortiSIEM's rules: XML as its rule files and its interface have them, and the pages of its
//! documentation.

mod expression;

mod operators;

mod page;

mod shape;

mod xml;

use super::found::Found;

/// All rules of these files.
pub fn read(files: &[(String, String)]) -> Vec<Found> {
    let mut found = Vec::new();
    for (file, text) in files {
        match text.trim_start().starts_with('<') {
            true => found.extend(xml::read(file, text)),
            false => found.extend(page::read(file, text)),
        }
    }
    found
}
