//! The authentication exchange. Each error here is made FATAL by the caller and ends the
//! connection: nobody is ever logged in by an error.

use crate::backend::Credentials;
use crate::decode;
use crate::error::{Error, SqlState};
use crate::message::Frame;
use crate::scram::{Channel, Exchange, SCRAM, SCRAM_PLUS, Verdict, Verifier};
use crate::wire::{Stop, Watch, Wire};

/// Lets the client prove that it is `user`, and says AuthenticationOk.
pub(crate) async fn authenticate(
    wire: &mut Wire,
    user: &str,
    credentials: Credentials,
) -> Result<(), Stop> {
    match credentials {
        Credentials::Trust => {}
        Credentials::Scram(verifier) => scram(wire, user, verifier).await?,
    }
    wire.output.authentication_ok();
    Ok(())
}

async fn scram(wire: &mut Wire, user: &str, verifier: Verifier) -> Result<(), Stop> {
    let end_point = wire.end_point();
    match end_point {
        Some(_) => wire.output.authentication_sasl(&[SCRAM_PLUS, SCRAM]),
        None => wire.output.authentication_sasl(&[SCRAM]),
    }
    let frame = answer(wire).await?;
    let (mechanism, first) = decode::sasl_initial(&frame.body).map_err(Stop::Fatal)?;
    let plus = match mechanism {
        SCRAM => false,
        SCRAM_PLUS if end_point.is_some() => true,
        _ => {
            let message = "client selected an invalid SASL authentication mechanism";
            return Err(Stop::Fatal(Error::protocol(message)));
        }
    };
    let channel = Channel { end_point: end_point.as_deref(), plus };
    let exchange = Exchange::begin(verifier, channel, first).map_err(Stop::Fatal)?;
    wire.output.authentication_sasl_continue(exchange.server_first());
    let frame = answer(wire).await?;
    match exchange.finish(&frame.body).map_err(Stop::Fatal)? {
        Verdict::Right(last) => {
            wire.output.authentication_sasl_final(&last);
            Ok(())
        }
        Verdict::Wrong => Err(Stop::Fatal(Error::fatal(
            SqlState::INVALID_PASSWORD,
            format!("password authentication failed for user \"{user}\""),
        ))),
    }
}

/// The client's next message, which must be of the one kind that is legal now.
async fn answer(wire: &mut Wire) -> Result<Frame, Stop> {
    wire.output.flush_wanted = true;
    let frame = wire.next_frame(&Watch::startup()).await?;
    if frame.kind == b'p' {
        return Ok(frame);
    }
    let message = format!("expected SASL response, got message type {}", frame.kind);
    Err(Stop::Fatal(Error::protocol(message)))
}
