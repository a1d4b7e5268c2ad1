mod answers;
mod attacks;
mod authored;
mod enrolments;
mod layout;
mod load;
mod rounds;
