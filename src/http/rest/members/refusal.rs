//! Why a membership is not added, changed or ended, as clients are told.

use crate::domain::member_change::MemberDenial;
use crate::http::rest::fault::RestRefusal;

impl From<MemberDenial> for RestRefusal {
    fn from(denial: MemberDenial) -> Self {
        match denial {
            MemberDenial::Forbidden => Self::Forbidden,
            MemberDenial::Locked => Self::Closed,
            MemberDenial::Exists => Self::Conflict("Member already exists".to_owned()),
            MemberDenial::Missing => Self::NoSuchRow,
            MemberDenial::Faults(faults) => faults.into(),
        }
    }
}

/// The denial in a sentence, where several users are named at once.
pub fn sentence(denial: &MemberDenial) -> String {
    match denial {
        MemberDenial::Forbidden => "403 Forbidden".to_owned(),
        MemberDenial::Locked => "405 Method Not Allowed".to_owned(),
        MemberDenial::Exists => "Member already exists".to_owned(),
        MemberDenial::Missing => "404 Not found".to_owned(),
        MemberDenial::Faults(faults) => {
            let words = |field: &str| {
                let words = field.replace('_', " ");
                let first: String = words.chars().take(1).flat_map(char::to_uppercase).collect();
                format!("{first}{}", words.chars().skip(1).collect::<String>())
            };
            let each = |(field, faults): (&'static str, &[String])| {
                faults.iter().map(|fault| format!("{} {fault}", words(field))).collect::<Vec<_>>()
            };
            faults.iter().flat_map(each).collect::<Vec<_>>().join(" and ")
        }
    }
}
