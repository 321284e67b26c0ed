//! Accounts as the server keeps them: documents applied, checked, sealed, stored and compiled.
//!
//! What is told to people about a document is told here, with the line it is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use pbx::draft::{Draft, Problem, Secrets, Severity};
use pbx::{AccountId, Plan, Standing};
use store::{AccountDocument, Reader};

use crate::account::{self, Purpose, Seal};
use crate::directory::Directory;
use crate::hooks::guard::Guard;

/// A document and what it means.
#[derive(Clone, Debug)]
pub struct Account {
    /// What was written, passwords hashed.
    pub draft: Arc<Draft>,
    /// What it means.
    pub plan: Arc<Plan>,
    /// What stood in it when the process began.
    pub standings: Vec<Standing>,
}

/// Checks and seals documents.
pub struct Accounts {
    seal: Arc<Seal>,
    guard: Guard,
}

/// A document that may be stored.
pub struct Checked {
    draft: Draft,
    /// What is odd about it, in lines for people.
    pub warnings: String,
}

/// Why a document was not applied, in lines for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl Accounts {
    /// Seals with `seal`; webhook URLs must pass `guard`.
    pub fn new(seal: Seal, guard: Guard) -> Self {
        let seal = Arc::new(seal);
        Self { seal, guard }
    }

    /// What seals.
    pub fn sealing(&self) -> &Arc<Seal> {
        &self.seal
    }

    /// Everything that is stored of accounts, compiled.
    pub fn open_all(&self, reader: &Reader) -> anyhow::Result<Vec<Account>> {
        let mut standings = BTreeMap::<AccountId, Vec<Standing>>::new();
        for (account, standing) in reader.standings()? {
            standings.entry(account).or_default().push(standing);
        }
        let stored = reader.accounts()?;
        let opened = stored.iter().map(|stored| {
            let standings = standings.remove(&stored.account).unwrap_or_default();
            let account = self.open(stored)?;
            Ok(Account {
                standings,
                ..account
            })
        });
        opened.collect()
    }

    /// What is stored of an account, compiled.
    pub fn open(&self, stored: &AccountDocument) -> anyhow::Result<Account> {
        let named = |what: &str| {
            format!(
                "account `{}`, version {}: {what}",
                stored.name, stored.version
            )
        };
        let json = self
            .seal
            .open(Purpose::Document, &stored.document)
            .map_err(|error| {
                anyhow::Error::new(error).context(named("the stored document cannot be unsealed"))
            })?;
        let draft: Draft = serde_json::from_slice(&json).map_err(|error| {
            anyhow::Error::new(error).context(named("the stored document cannot be read"))
        })?;
        let plan = draft
            .compile(stored.account, stored.version.into())
            .map_err(|problems| {
                let first = problems
                    .first()
                    .map(|problem| problem.rule.clone())
                    .unwrap_or_default();
                anyhow::anyhow!(named(&first))
            })?;
        Ok(Account {
            draft: Arc::new(draft),
            plan: Arc::new(plan),
            standings: Vec::new(),
        })
    }

    /// Checks a written document against its rules, the rest of the server and what is stored of it.
    pub fn check(
        &self,
        text: &str,
        stored: Option<&AccountDocument>,
        directory: &Directory,
    ) -> Result<Checked, Refused> {
        let mut draft = account::load(text).map_err(|error| Refused(error.to_string()))?;
        let before = stored.and_then(|stored| self.open(stored).ok());
        if let Some(before) = &before {
            draft.keep_secrets(&before.draft);
        }
        let account = stored.map_or(NEW_ACCOUNT, |stored| stored.account);
        let refuse = |problems: &[Problem]| Refused(account::explain(text, problems));
        let plan = draft
            .compile(account, 0)
            .map_err(|problems| refuse(&problems))?;
        let mut problems = self.refused_urls(&plan);
        problems.extend(directory.plans().flat_map(|other| plan.clashes_with(other)));
        if !problems.is_empty() {
            return Err(refuse(&problems));
        }
        let warnings = account::explain(text, &plan.warnings);
        draft.hash_passwords();
        Ok(Checked { draft, warnings })
    }

    /// The document to be stored.
    pub fn seal(&self, checked: &Checked) -> anyhow::Result<(String, Vec<u8>)> {
        let json = serde_json::to_vec(&checked.draft)?;
        let sealed = self.seal.seal(Purpose::Document, &json)?;
        Ok((checked.draft.account.clone(), sealed))
    }

    /// A stored account as a document for people.
    pub fn export(&self, stored: &AccountDocument, secrets: Secrets) -> anyhow::Result<String> {
        let account = self.open(stored)?;
        account::write(&account.draft.export(secrets))
    }

    /// Addresses that the document has called from here and must not.
    fn refused_urls(&self, plan: &Plan) -> Vec<Problem> {
        let endpoints = plan.webhooks.iter().enumerate();
        let endpoints =
            endpoints.map(|(index, endpoint)| (format!("webhooks[{index}].url"), &endpoint.url));
        let objects = plan.object_urls.iter();
        let objects = objects.map(|(path, url)| (path.clone(), url));
        endpoints
            .chain(objects)
            .filter_map(|(path, url)| {
                let refusal = self.guard.check_url(url).err()?;
                Some(Problem {
                    path,
                    rule: refusal.to_string(),
                    severity: Severity::Error,
                })
            })
            .collect()
    }
}

/// The account's name in a document, as far as it can be read.
pub fn name_in(text: &str) -> Result<String, Refused> {
    let draft = account::load(text).map_err(|error| Refused(error.to_string()))?;
    Ok(draft.account)
}

/// Stands for an account that has no id yet.
const NEW_ACCOUNT: AccountId = AccountId(u32::MAX);
