//! What the whole-tool tests share: a scratch home, the binary `tg` run as a process, and a view of the runs it left.
//!
//! The tests look only at what a user can see: exit codes, stdout, stderr, and the files below `$TG_HOME`.

mod home;
mod need;
mod pipe;
mod process;
mod run;

pub use home::{Home, plan};
pub use need::{Tool, has, object_store};
pub use pipe::Pipe;
pub use process::{Done, Running, finish};
pub use run::{End, Run};
