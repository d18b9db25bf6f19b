//! What happens after an answer was given.

mod deliver_webhook;
mod failing_receivers;
mod payloads;
mod post_receive;
mod queue;
