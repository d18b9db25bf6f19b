//! Add-ons and their purchases: what a namespace can buy, and what a purchase must say (provisioning.md 3).

use chrono::NaiveDate;

use super::ids::NamespaceId;
use super::ledger::{LedgerField, LedgerFields};

/// Characters of a purchase's id at most.
const XID_LENGTH: usize = 255;

/// What can be bought beside a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub enum AddOn {
    CodeSuggestions,
    ProductAnalytics,
    DuoEnterprise,
    DuoAmazonQ,
    DuoNano,
    DuoCore,
    SelfHostedDap,
}

impl AddOn {
    /// All names. `duo_core` is what `duo_nano` is called since.
    pub const ALL: [Self; 7] = [
        Self::CodeSuggestions,
        Self::ProductAnalytics,
        Self::DuoEnterprise,
        Self::DuoAmazonQ,
        Self::DuoNano,
        Self::DuoCore,
        Self::SelfHostedDap,
    ];

    /// One of each number: what a namespace can have.
    pub const NUMBERED: [Self; 6] = [
        Self::CodeSuggestions,
        Self::ProductAnalytics,
        Self::DuoEnterprise,
        Self::DuoAmazonQ,
        Self::DuoCore,
        Self::SelfHostedDap,
    ];

    /// The add-on of exactly that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|add_on| add_on.name() == name)
    }

    /// Its name in paths.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CodeSuggestions => "code_suggestions",
            Self::ProductAnalytics => "product_analytics",
            Self::DuoEnterprise => "duo_enterprise",
            Self::DuoAmazonQ => "duo_amazon_q",
            Self::DuoNano => "duo_nano",
            Self::DuoCore => "duo_core",
            Self::SelfHostedDap => "self_hosted_dap",
        }
    }

    /// Its number in the table.
    #[must_use]
    pub fn number(self) -> i16 {
        match self {
            Self::CodeSuggestions => 1,
            Self::ProductAnalytics => 2,
            Self::DuoEnterprise => 3,
            Self::DuoAmazonQ => 4,
            Self::DuoNano | Self::DuoCore => 5,
            Self::SelfHostedDap => 6,
        }
    }

    /// Its name for people: `Code Suggestions`.
    #[must_use]
    pub fn title(self) -> String {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        self.name().split('_').map(capital).collect::<Vec<_>>().join(" ")
    }
}

/// What is wrong with the values of a record, by their names.
pub type PurchaseComplaints = Vec<(&'static str, String)>;

/// What a request wants a purchase to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct PurchaseRequest {
    pub quantity: Option<i32>,
    pub started_on: Option<NaiveDate>,
    pub expires_on: Option<NaiveDate>,
    pub purchase_xid: Option<String>,
    pub trial: Option<bool>,
}

/// What a purchase says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct PurchaseTerms {
    pub quantity: i32,
    pub started_on: Option<NaiveDate>,
    pub expires_on: NaiveDate,
    pub purchase_xid: String,
    pub trial: bool,
}

impl PurchaseTerms {
    /// The terms of a new purchase.
    ///
    /// # Errors
    /// All that is wrong with them, in GitLab's order.
    pub fn new(wanted: PurchaseRequest) -> Result<Self, PurchaseComplaints> {
        let mut wrong = PurchaseComplaints::new();
        let mut complain = |name, what: &str| wrong.push((name, what.to_owned()));
        if wanted.expires_on.is_none() {
            complain("expires_on", "can't be blank");
        }
        match wanted.quantity {
            None => {
                complain("quantity", "can't be blank");
                complain("quantity", "is not a number");
            }
            Some(quantity) if quantity < 1 => complain("quantity", "must be greater than or equal to 1"),
            Some(_) => {}
        }
        let xid = wanted.purchase_xid.unwrap_or_default();
        if xid.trim().is_empty() {
            complain("purchase_xid", "can't be blank");
        }
        if xid.chars().count() > XID_LENGTH {
            complain("purchase_xid", "is too long (maximum is 255 characters)");
        }
        match (wanted.quantity, wanted.expires_on) {
            (Some(quantity), Some(expires_on)) if wrong.is_empty() => Ok(Self {
                quantity,
                started_on: wanted.started_on,
                expires_on,
                purchase_xid: xid,
                trial: wanted.trial.unwrap_or(false),
            }),
            _ => Err(wrong),
        }
    }

    /// The terms with what is wanted in place of what was. What is null is left alone.
    ///
    /// # Errors
    /// All that is wrong with them, in GitLab's order.
    pub fn with(self, wanted: PurchaseRequest) -> Result<Self, PurchaseComplaints> {
        Self::new(PurchaseRequest {
            quantity: wanted.quantity.or(Some(self.quantity)),
            started_on: wanted.started_on.or(self.started_on),
            expires_on: wanted.expires_on.or(Some(self.expires_on)),
            purchase_xid: wanted.purchase_xid.or(Some(self.purchase_xid)),
            trial: wanted.trial.or(Some(self.trial)),
        })
    }
}

/// A namespace's purchase of an add-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddOnPurchase {
    /// `subscription_add_on_purchases.id`
    pub id: i64,
    /// Whose it is.
    pub namespace: NamespaceId,
    /// What was bought.
    pub add_on: AddOn,
    /// What it says.
    pub terms: PurchaseTerms,
}

impl AddOnPurchase {
    /// The purchase as the ledger keeps it.
    #[must_use]
    pub fn fields(&self) -> LedgerFields {
        let PurchaseTerms { quantity, started_on, expires_on, purchase_xid, trial } = &self.terms;
        vec![
            ("add_on", self.add_on.name().into()),
            ("quantity", (*quantity).into()),
            ("started_at", LedgerField::from(*started_on)),
            ("expires_on", (*expires_on).into()),
            ("purchase_xid", purchase_xid.as_str().into()),
            ("trial", (*trial).into()),
        ]
    }
}

/// What CustomersDot orders of one add-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseOrder {
    /// What is ordered.
    pub add_on: AddOn,
    /// What the purchase is to say.
    pub wanted: PurchaseRequest,
    /// The add-on whose purchase becomes this one's.
    pub in_place_of: Option<AddOn>,
}

impl PurchaseOrder {
    /// Whether there is to be something of the add-on: an order of none ends what there is.
    #[must_use]
    pub fn buys(&self) -> bool {
        self.wanted.quantity.is_some_and(|quantity| quantity > 0)
    }
}

/// The terms that an order leaves a purchase with; nothing where there is nothing to do.
///
/// # Errors
/// All that is wrong with them.
pub fn carry_out(
    order: &PurchaseOrder,
    before: Option<&AddOnPurchase>,
    today: NaiveDate,
) -> Result<Option<PurchaseTerms>, PurchaseComplaints> {
    match before {
        Some(before) if order.buys() => before.terms.clone().with(order.wanted.clone()).map(Some),
        Some(before) => {
            let over = today.pred_opt().unwrap_or(today);
            let terms = before.terms.clone();
            Ok(Some(PurchaseTerms { expires_on: terms.expires_on.min(over), ..terms }))
        }
        None if order.buys() => PurchaseTerms::new(order.wanted.clone()).map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact_and_titles_are_made_of_them() {
        for add_on in AddOn::ALL {
            assert_eq!(AddOn::named(add_on.name()), Some(add_on));
        }
        for name in ["Code_Suggestions", "code-suggestions", "1", "", "code_suggestions "] {
            assert_eq!(AddOn::named(name), None, "{name}");
        }
        let titles: Vec<String> = AddOn::ALL.into_iter().map(AddOn::title).collect();
        assert_eq!(
            titles,
            [
                "Code Suggestions",
                "Product Analytics",
                "Duo Enterprise",
                "Duo Amazon Q",
                "Duo Nano",
                "Duo Core",
                "Self Hosted Dap"
            ]
        );
        assert_eq!(AddOn::DuoNano.number(), AddOn::DuoCore.number());
    }

    #[test]
    fn all_that_is_wrong_is_said() {
        let wrong = |wanted| {
            let complaints = PurchaseTerms::new(wanted).unwrap_err();
            complaints.iter().map(|(name, what)| format!("{name} {what}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(
            wrong(PurchaseRequest::default()),
            "expires_on can't be blank, quantity can't be blank, quantity is not a number, purchase_xid can't be blank"
        );
        let good = PurchaseRequest {
            quantity: Some(1),
            expires_on: NaiveDate::from_ymd_opt(2020, 1, 1),
            purchase_xid: Some("é".repeat(255)),
            ..PurchaseRequest::default()
        };
        let terms = PurchaseTerms::new(good.clone()).unwrap();
        assert_eq!(
            wrong(PurchaseRequest { quantity: Some(0), ..good.clone() }),
            "quantity must be greater than or equal to 1"
        );
        assert_eq!(
            wrong(PurchaseRequest { purchase_xid: Some("x".repeat(256)), ..good.clone() }),
            "purchase_xid is too long (maximum is 255 characters)"
        );
        assert_eq!(terms.clone().with(PurchaseRequest::default()).unwrap(), terms, "null leaves all alone");
        assert!(
            terms.with(PurchaseRequest { purchase_xid: Some("  ".to_owned()), ..PurchaseRequest::default() }).is_err()
        );
    }
}
