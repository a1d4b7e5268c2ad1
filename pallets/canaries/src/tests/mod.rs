mod answers;
mod attacks;
mod audits;
mod authored;
mod enrolments;
mod layout;
mod load;
mod rounds;
