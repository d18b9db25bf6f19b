//! What is wrong with a record that a client wants written, in the words that GitLab's API has for it.

/// Faults of a record by the field that they are about, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordFaults(Vec<(&'static str, Vec<String>)>);

/// What is said of a name or a path that another record has.
pub const TAKEN: &str = "has already been taken";
/// What is said of a text that says nothing.
pub const BLANK: &str = "can't be blank";

impl RecordFaults {
    /// One fault of one field.
    #[must_use]
    pub fn of(field: &'static str, fault: impl Into<String>) -> Self {
        Self(vec![(field, vec![fault.into()])])
    }

    /// Notes a fault of a field.
    pub fn add(&mut self, field: &'static str, fault: impl Into<String>) {
        let fault = fault.into();
        match self.0.iter_mut().find(|(known, _)| *known == field) {
            Some((_, faults)) => faults.push(fault),
            None => self.0.push((field, vec![fault])),
        }
    }

    /// Notes that a text has more characters than its column holds.
    pub fn check_length(&mut self, field: &'static str, text: Option<&str>, most: usize) {
        if text.is_some_and(|text| text.chars().count() > most) {
            self.add(field, format!("is too long (maximum is {most} characters)"));
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields and what is wrong with each.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        self.0.iter().map(|(field, faults)| (*field, faults.as_slice()))
    }

    /// Nothing, where nothing is wrong.
    ///
    /// # Errors
    /// The faults.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_field_stand_together_in_the_order_of_the_fields() {
        let mut faults = RecordFaults::default();
        assert_eq!(faults.clone().into_result(), Ok(()));
        faults.add("name", TAKEN);
        faults.add("path", TAKEN);
        faults.check_length("name", Some("äöü"), 3);
        faults.check_length("name", Some("äöüß"), 3);
        let told: Vec<String> =
            faults.iter().map(|(field, faults)| format!("{field}: {}", faults.join(", "))).collect();
        let name = "name: has already been taken, is too long (maximum is 3 characters)";
        assert_eq!(told, [name, "path: has already been taken"]);
    }
}
