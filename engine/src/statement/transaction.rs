//! Transaction control: BEGIN and its modes.

use super::{Parsed, tokens::Tokens};
use crate::error::{Error, Result};
use datafusion::sql::sqlparser::tokenizer::Token;

/// What BEGIN, SET TRANSACTION and SET SESSION CHARACTERISTICS may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TransactionModes {
    pub(crate) isolation: Option<Isolation>,
    pub(crate) access: Option<AccessMode>,
    pub(crate) deferrable: Option<bool>,
}

/// The isolation levels that exist here. PostgreSQL runs READ UNCOMMITTED as READ COMMITTED too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Isolation {
    /// As `SHOW transaction_isolation` prints it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Isolation::ReadUncommitted => "read uncommitted",
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        }
    }

    /// The reverse of [`Isolation::as_str`], in any case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::ReadUncommitted, Self::ReadCommitted, Self::RepeatableRead, Self::Serializable]
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text))
    }

    /// SERIALIZABLE needs the ranges that were read; to run it as something weaker would be a lie.
    ///
    /// # Errors
    /// 0A000 for SERIALIZABLE.
    pub(crate) fn check_supported(self) -> Result<()> {
        match self {
            Isolation::ReadUncommitted | Isolation::ReadCommitted | Isolation::RepeatableRead => {
                Ok(())
            }
            Isolation::Serializable => Err(Error::feature_not_supported(
                "the isolation level SERIALIZABLE is not supported",
            )
            .with_hint("Use REPEATABLE READ and SELECT ... FOR UPDATE.")),
        }
    }
}

/// READ WRITE or READ ONLY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessMode {
    ReadWrite,
    ReadOnly,
}

/// Parses what begins with a word of transaction control.
pub(super) fn parse(tokens: &mut Tokens<'_>) -> Result<Option<Parsed>> {
    let parsed = if tokens.take("begin") {
        skip_noise(tokens);
        Parsed::Begin(modes(tokens)?)
    } else if tokens.take_all(&["start", "transaction"]) {
        Parsed::Start(modes(tokens)?)
    } else if tokens.take_all(&["commit", "prepared"]) || tokens.take_all(&["rollback", "prepared"])
    {
        return Err(two_phase());
    } else if tokens.take("commit") || tokens.take("end") {
        skip_noise(tokens);
        Parsed::Commit { chain: chain(tokens)? }
    } else if tokens.take("rollback") || tokens.take("abort") {
        skip_noise(tokens);
        if tokens.take("to") {
            tokens.take("savepoint");
            Parsed::RollbackTo(tokens.column_name()?)
        } else {
            Parsed::Rollback { chain: chain(tokens)? }
        }
    } else if tokens.take("savepoint") {
        Parsed::Savepoint(tokens.column_name()?)
    } else if tokens.take("release") {
        tokens.take("savepoint");
        Parsed::Release(tokens.column_name()?)
    } else if tokens.take_all(&["prepare", "transaction"]) {
        tokens.string()?;
        Parsed::PrepareTransaction
    } else {
        return Ok(None);
    };
    tokens.expect_end()?;
    Ok(Some(parsed))
}

/// PREPARE TRANSACTION and its second half.
pub(crate) fn two_phase() -> Error {
    Error::feature_not_supported("two-phase commit is not supported")
}

fn skip_noise(tokens: &mut Tokens<'_>) {
    if !tokens.take("work") {
        tokens.take("transaction");
    }
}

fn chain(tokens: &mut Tokens<'_>) -> Result<bool> {
    if !tokens.take("and") {
        return Ok(false);
    }
    let no = tokens.take("no");
    tokens.expect("chain")?;
    Ok(!no)
}

/// `ISOLATION LEVEL ...`, `READ ONLY`, `[NOT] DEFERRABLE`, with or without commas.
pub(super) fn modes(tokens: &mut Tokens<'_>) -> Result<TransactionModes> {
    let mut modes = TransactionModes::default();
    while !tokens.at_end() {
        if tokens.take_all(&["isolation", "level"]) {
            modes.isolation = Some(isolation(tokens)?);
        } else if tokens.take_all(&["read", "only"]) {
            modes.access = Some(AccessMode::ReadOnly);
        } else if tokens.take_all(&["read", "write"]) {
            modes.access = Some(AccessMode::ReadWrite);
        } else if tokens.take("deferrable") {
            modes.deferrable = Some(true);
        } else if tokens.take_all(&["not", "deferrable"]) {
            modes.deferrable = Some(false);
        } else {
            return Err(tokens.unexpected());
        }
        if tokens.take_token(&Token::Comma) && tokens.at_end() {
            return Err(tokens.unexpected());
        }
    }
    Ok(modes)
}

fn isolation(tokens: &mut Tokens<'_>) -> Result<Isolation> {
    if tokens.take("serializable") {
        Ok(Isolation::Serializable)
    } else if tokens.take_all(&["repeatable", "read"]) {
        Ok(Isolation::RepeatableRead)
    } else if tokens.take_all(&["read", "committed"]) {
        Ok(Isolation::ReadCommitted)
    } else if tokens.take_all(&["read", "uncommitted"]) {
        Ok(Isolation::ReadUncommitted)
    } else {
        Err(tokens.unexpected())
    }
}
