//! The rules of the fault suite: some that stay as they are, and some that change on the way.

use crate::rng::Rng;

/// The ids of the rules that change; the incidents of all others are known from the events alone.
pub const CHANGING: [&str; 3] = [
    "PH_Rule_WINDOW_OR_TITLE",
    "PH_Rule_ADDED",
    "PH_Rule_REMOVED",
];

/// One of each kind: any one event, a threshold, distinct values, a sequence, an absence, what is
/// new, and one that a pattern clears. All look back a few seconds, so that incidents open and
/// close all the time.
const STAYING: &str = "id: PH_Rule_ANY
name: A command
severity: 5
window: 2s
patterns:
  - { name: Command, where: eventType CONTAIN \"runcommand\", group_by: [user] }
incident: { title: \"$user\", attributes: { user: Command.user } }
---
id: PH_Rule_MANY
name: Many changes
severity: 7
window: 4s
patterns:
  - { name: Change, where: eventType ENDS_WITH \"_write\", group_by: [user], having: COUNT(*) >= 3 }
incident: { title: \"$user\", attributes: { user: Change.user, changes: Change.COUNT(*) } }
clear: { quiet: 3s }
---
id: PH_Rule_DISTINCT
name: Deletions from many places
severity: 9
window: 5s
patterns:
  - name: Deletion
    where: eventType ENDS_WITH \"_delete\"
    group_by: [user]
    having: COUNT(DISTINCT srcIpAddr) >= 2
incident: { title: \"$user\", attributes: { user: Deletion.user } }
clear: { quiet: 3s }
---
id: PH_Rule_FOLLOWED
name: A command, then a look
severity: 5
window: 3s
patterns:
  - { name: Command, where: eventType CONTAIN \"runcommand\", group_by: [user] }
  - { name: Look, where: eventType ENDS_WITH \"_read\", group_by: [user] }
condition: Command FOLLOWED_BY Look
relations: [Command.user = Look.user]
---
id: PH_Rule_ALONE
name: A command, and no look
severity: 5
window: 2s
patterns:
  - { name: Command, where: eventType CONTAIN \"runcommand\", group_by: [user] }
  - { name: Look, where: eventType ENDS_WITH \"_read\", group_by: [user] }
condition: Command NOT_FOLLOWED_BY Look
relations: [Command.user = Look.user]
patience: 1s
---
id: PH_Rule_NEW
name: A deletion from a new place
severity: 5
window: 1s
patterns:
  - name: Deletion
    where: eventType ENDS_WITH \"_delete\"
    group_by: [user]
    new: \"[user, srcIpAddr] over 8s\"
clear: { quiet: 2s }
---
id: PH_Rule_CLEARED
name: Stopped, until it is started
severity: 5
window: 3s
patterns:
  - { name: Stop, where: eventType ENDS_WITH \"_stop_action\", group_by: [user] }
  - { name: Start, where: eventType ENDS_WITH \"_start_action\", group_by: [user] }
condition: Stop
relations: [Stop.user = Start.user]
clear: { when: Start, quiet: 3s }
";

/// A state of the rules that change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// In seconds.
    pub window: u32,
    pub title: char,
    pub added: bool,
    pub removed: bool,
}

impl Version {
    /// What every worker begins with.
    pub const FIRST: Version = Version {
        window: 3,
        title: 'A',
        added: false,
        removed: false,
    };

    /// Another one: one thing is different.
    pub fn change(self, random: &mut Rng) -> Version {
        match random.below(4) {
            0 => Version {
                window: 9 - self.window,
                ..self
            },
            1 => Version {
                title: if self.title == 'A' { 'B' } else { 'A' },
                ..self
            },
            2 => Version {
                added: !self.added,
                ..self
            },
            _ => Version {
                removed: !self.removed,
                ..self
            },
        }
    }

    /// The text of all rules.
    pub fn text(self) -> String {
        let Version {
            window,
            title,
            added,
            removed,
        } = self;
        let changing = simple(
            CHANGING[0],
            window,
            &format!("{title} $user"),
            "ENDS_WITH \"_write\"",
        );
        let [appearing, going] = [
            (CHANGING[1], added, "ENDS_WITH \"_read\""),
            (CHANGING[2], !removed, "CONTAIN \"runcommand\""),
        ]
        .map(|(id, there, filter)| match there {
            true => simple(id, 3, "$user", filter),
            false => String::new(),
        });
        format!("{STAYING}{changing}{appearing}{going}")
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Version {
            window,
            title,
            added,
            removed,
        } = self;
        write!(f, "window {window}s, title {title}")?;
        write!(f, "{}", if *added { ", one more" } else { "" })?;
        write!(f, "{}", if *removed { ", one less" } else { "" })
    }
}

fn simple(id: &str, window: u32, title: &str, filter: &str) -> String {
    format!(
        "---\nid: {id}\nname: A rule that changes\nseverity: 3\nwindow: {window}s\npatterns:\n  \
         - {{ name: Event, where: eventType {filter}, group_by: [user], having: COUNT(*) >= 2 }}\n\
         incident: {{ title: \"{title}\", attributes: {{ user: Event.user }} }}\n\
         clear: {{ quiet: 3s }}\n"
    )
}
