//! What comments switch off.

use std::collections::BTreeSet;

use super::{Finding, Lint};
use crate::rule::nearest::{self, shown};
use crate::rule::switches;

/// The lints that comments in a rule's text switch off, and the comments that switch off nothing.
pub fn read(text: &str) -> (BTreeSet<Lint>, Vec<Finding>) {
    let mut off = BTreeSet::new();
    let mut wrong = Vec::new();
    for comment in switches::comments(text) {
        match lint(switches::order(comment).unwrap_or_default()) {
            Ok(lint) => {
                off.insert(lint);
            }
            Err(text) => wrong.push(Finding {
                lint: Lint::LintComment,
                near: comment.to_owned(),
                text,
            }),
        }
    }
    (off, wrong)
}

/// The lint of `off NAME, reason`.
fn lint(order: &str) -> Result<Lint, String> {
    let form = "expected `# lint: off NAME, reason`";
    let rest = order
        .strip_prefix("off")
        .filter(|rest| rest.starts_with(char::is_whitespace));
    let Some(rest) = rest else {
        return Err(format!("{form}, found `# lint: {}`", shown(order)));
    };
    let (name, reason) = rest.split_once(',').unwrap_or((rest, ""));
    let (name, reason) = (name.trim(), reason.trim());
    let lint = Lint::ALL.into_iter().find(|lint| lint.name() == name);
    let Some(lint) = lint else {
        let hint = nearest::hint(name, &Lint::ALL.map(Lint::name));
        return Err(format!("no lint is called `{}`{hint}", shown(name)));
    };
    match reason.is_empty() {
        true => Err(format!("`# lint: off {name}` says no reason: {form}")),
        false => Ok(lint),
    }
}
