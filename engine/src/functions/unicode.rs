//! `normalize` and `IS NORMALIZED`.

use unicode_normalization::UnicodeNormalization;

use super::kernel::{Bool, Text};
use super::registry::Implementations;
use crate::error::{Error, Result};

pub(super) fn register(all: &mut Implementations) {
    all.f2::<Text, Text, Text>("normalize(text,text)", |text, form| {
        Ok(Form::named(form)?.normal(text))
    });
    all.f2::<Text, Text, Bool>("is_normalized(text,text)", |text, form| {
        Ok(Form::named(form)?.normal(text) == text)
    });
}

#[derive(Clone, Copy)]
enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

impl Form {
    fn named(name: &str) -> Result<Form> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "nfc" => Form::Nfc,
            "nfd" => Form::Nfd,
            "nfkc" => Form::Nfkc,
            "nfkd" => Form::Nfkd,
            _ => {
                return Err(Error::invalid_parameter_value(format!(
                    "invalid normalization form: {name}"
                )));
            }
        })
    }

    fn normal(self, text: &str) -> String {
        if text.is_ascii() {
            return text.to_owned();
        }
        match self {
            Form::Nfc => text.nfc().collect(),
            Form::Nfd => text.nfd().collect(),
            Form::Nfkc => text.nfkc().collect(),
            Form::Nfkd => text.nfkd().collect(),
        }
    }
}
