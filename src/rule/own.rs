//! Attributes that users bring: files of the form of schemas/attributes/, for records that are not
//! Azure's, or that a company makes itself.
//!
//! A file is one family. Its `where` is a filter over the record (paths alone, `record.a.b`), which
//! says whose records are read by it. It may name attributes of its own, and say for its records
//! where those come from that every record has: `user`, `eventType`, `time` and the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Filter;
use crate::event::{Attribute, Attributes, OwnName};
use crate::normalise::Family;

/// What users brought: families of records, and names of attributes.
#[derive(Clone, Debug, Default)]
pub struct Own {
    pub(super) families: Vec<OwnFamily>,
    pub(super) names: Arc<[OwnName]>,
    pub(super) files: Vec<OwnFile>,
}

/// A file as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnFile {
    /// Its name, without folder and ending: that of the family.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// A family of records.
#[derive(Clone, Debug)]
pub struct OwnFamily {
    /// Where its records have what.
    pub(crate) family: Family,
    /// Which records are of it.
    pub(crate) filter: Filter,
    /// What the filter asks for: paths.
    pub(crate) asked: Attributes,
    /// The versions of the attributes that it says something of.
    pub(super) versions: BTreeMap<String, u32>,
}

/// The same files mean the same.
impl PartialEq for Own {
    fn eq(&self, other: &Own) -> bool {
        self.files == other.files
    }
}

impl Own {
    /// The families, in the order of their files' names.
    pub fn families(&self) -> impl Iterator<Item = &OwnFamily> {
        self.families.iter()
    }

    /// The attributes that they name.
    pub fn names(&self) -> Arc<[OwnName]> {
        Arc::clone(&self.names)
    }

    /// The files.
    pub fn files(&self) -> &[OwnFile] {
        &self.files
    }

    /// What must stand behind an attribute's name where a meaning is written, besides the version
    /// of the program's own: the versions of its own name, or of what families say of it.
    pub fn version(&self, attribute: &Attribute) -> String {
        let name = match attribute {
            Attribute::Named(name) => name,
            Attribute::Own(name) => name.as_str(),
            Attribute::Path(_) | Attribute::Selected(_) | Attribute::Computed { .. } => {
                return String::new();
            }
        };
        let mut own = self.names.iter();
        let own = own.find(|own| own.name == name).map(|own| own.version);
        let own = own.filter(|version| *version > 1);
        let mut text = own.map(|version| format!("@{version}")).unwrap_or_default();
        for family in &self.families {
            let version = family.versions.get(name).filter(|version| **version > 1);
            if let Some(version) = version {
                text += &format!("+{}@{version}", family.family.name);
            }
        }
        text
    }
}
