//! E-mail analysis: who writes to whom, how fast, in what tone, from the mails of one owner.

#![expect(dead_code, reason = "the run that uses it is under construction")]

mod contact;
mod message;
