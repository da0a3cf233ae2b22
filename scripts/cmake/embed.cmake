# Script mode: writes OUT with pulse::embedded_NAME() from the files in LIST. Content goes in as string pieces, since
# a compiler limits the length of one literal.
file(STRINGS "${LIST}" files)
set(body "#include \"base/embedded.hpp\"\n\nnamespace pulse {\n\nstd::vector<embedded_file> embedded_${NAME}() {\n  return {\n")
foreach(f ${files})
  get_filename_component(base "${f}" NAME)
  file(READ "${f}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" escaped "${hex}")
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  # 500 bytes a piece: "\xNN" times 500 is 2,000 characters.
  string(REGEX REPLACE "((\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f]))" "\\1\"\n \"" escaped "${escaped}")
  string(APPEND body "    {\"${base}\", std::string_view(\"${escaped}\", ${size})},\n")
endforeach()
string(APPEND body "  };\n}\n\n} // namespace pulse\n")
file(WRITE "${OUT}" "${body}")
