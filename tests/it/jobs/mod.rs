//! What happens after an answer was given.

mod deliver_webhook;
mod post_receive;
mod queue;
