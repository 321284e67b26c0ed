//! What two accounts of one server may not share.

use super::problem::{Problem, Severity};
use crate::plan::Plan;

impl Plan {
    /// What keeps this plan from being applied beside another account's: the account's name, its
    /// domain (which decides whose user a request is from) and its numbers (which decide whose
    /// call comes in) are each one account's.
    pub fn clashes_with(&self, other: &Self) -> Vec<Problem> {
        if self.account == other.account {
            return Vec::new();
        }
        let mut problems = Vec::new();
        if self.name == other.name {
            problems.push(taken("account", &format!("the name `{}`", self.name)));
        }
        if self.domain == other.domain {
            problems.push(taken("domain", &format!("the domain `{}`", self.domain)));
        }
        for number in self.numbers().filter(|number| other.has_number(*number)) {
            problems.push(taken("flows", &format!("the inbound number +{number}")));
        }
        problems
    }
}

/// Does not say whose it is: accounts know nothing of each other.
fn taken(path: &str, what: &str) -> Problem {
    Problem {
        path: path.to_owned(),
        rule: format!("{what} belongs to another account of this server: choose another"),
        severity: Severity::Error,
    }
}

#[cfg(test)]
mod tests {
    use crate::ids::AccountId;
    use crate::testing::example;

    #[test]
    fn names_domains_and_numbers_are_one_accounts() {
        let mut other = example();
        let acme = other.compile(AccountId(1), 1).unwrap();
        let paths = |account, draft: &crate::draft::Draft| {
            let plan = draft.compile(AccountId(account), 2).unwrap();
            plan.clashes_with(&acme)
                .into_iter()
                .map(|problem| problem.path)
                .collect::<Vec<_>>()
        };
        assert_eq!(paths(2, &other), ["account", "domain", "flows"]);
        assert!(
            paths(1, &other).is_empty(),
            "an account does not clash with itself"
        );
        other.account = "other".to_owned();
        other.domain = "other.example.com".to_owned();
        other.flows.clear();
        other.users.clear();
        assert!(paths(2, &other).is_empty());
    }
}
