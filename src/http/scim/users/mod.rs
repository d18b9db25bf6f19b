//! `/Users`: one file per endpoint.

mod change;
mod create;
mod delete;
mod list;
mod patch;
mod replace;
mod show;

pub use create::create;
pub use delete::delete;
pub use list::list;
pub use patch::patch;
pub use replace::replace;
pub use show::show;
