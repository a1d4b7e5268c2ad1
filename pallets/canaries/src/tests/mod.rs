mod answers;
mod attacks;
mod enrolments;
mod layout;
mod load;
mod rounds;
