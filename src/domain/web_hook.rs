//! Which web hooks a push sets off, or an alert.

use super::glob;
use super::push::{RefChange, RefType};

/// What a hook listens to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listening {
    /// Pushes to branches.
    pub push_events: bool,
    /// Pushes of tags.
    pub tag_push_events: bool,
    /// New alerts.
    pub alert_events: bool,
    /// The branches, by name or with `*`; every branch where this is none or empty.
    pub branch_filter: Option<String>,
}

impl Listening {
    /// Whether the hook is told of this change. The filter is for branches; tags are not filtered.
    #[must_use]
    pub fn hears(&self, change: &RefChange<'_>) -> bool {
        match change.short_name() {
            Some((RefType::Branch, name)) => {
                let filter = self.branch_filter.as_deref().filter(|filter| !filter.is_empty());
                self.push_events && filter.is_none_or(|filter| glob::matches(filter, name))
            }
            Some((RefType::Tag, _)) => self.tag_push_events,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_hears_what_it_listens_to() {
        let hears = |push_events: bool, tag_push_events: bool, filter: Option<&str>, name: &str| {
            let branch_filter = filter.map(str::to_owned);
            let listening = Listening { push_events, tag_push_events, alert_events: true, branch_filter };
            listening.hears(&RefChange { old: "", new: "", name })
        };
        assert!(hears(true, false, None, "refs/heads/main"));
        assert!(!hears(false, true, None, "refs/heads/main"));
        assert!(hears(true, false, Some(""), "refs/heads/main"));
        assert!(hears(true, false, Some("release/*"), "refs/heads/release/1"));
        assert!(!hears(true, false, Some("release/*"), "refs/heads/main"));
        assert!(hears(false, true, Some("release/*"), "refs/tags/v1"));
        assert!(!hears(true, false, None, "refs/tags/v1"));
        assert!(!hears(true, true, None, "refs/notes/commits"));
    }
}
