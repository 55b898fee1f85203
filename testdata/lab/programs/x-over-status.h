/* The structure as the program knows it. */
struct Status { DWORD size; int code; char text[32]; };
