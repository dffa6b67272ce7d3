# cmake -DINPUT=FILE -DOUTPUT=FILE.cc -DNAME=kName -P embed_bytes.cmake: a file's bytes as an array of the program.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "#include <cstddef>
namespace creamery {
extern const unsigned char ${NAME}[];
extern const size_t ${NAME}Size;
const unsigned char ${NAME}[] = {
${bytes}};
const size_t ${NAME}Size = sizeof(${NAME});
}  // namespace creamery
")
