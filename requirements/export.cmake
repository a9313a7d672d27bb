# Told to llama-cpp-python's build (requirements/export.txt): llama.cpp's converter comes along with the library, of one version.
# Its tools, its servers and what they share are not built; the library is made for any machine of this kind, since homes are shared.
set(LLAMA_BUILD_COMMON OFF)
set(LLAVA_BUILD OFF)
set(GGML_NATIVE OFF)
set(converter ${SKBUILD_PLATLIB_DIR}/llama_cpp/converter)
install(FILES vendor/llama.cpp/convert_hf_to_gguf.py vendor/llama.cpp/LICENSE DESTINATION ${converter})
install(DIRECTORY vendor/llama.cpp/conversion DESTINATION ${converter} FILES_MATCHING PATTERN "*.py")
install(DIRECTORY vendor/llama.cpp/gguf-py/gguf DESTINATION ${converter}/gguf-py FILES_MATCHING PATTERN "*.py")
