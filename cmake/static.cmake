# For a program that runs on systems which have no library of ours: all are linked in, but the C library, whose symbols say
# which systems those are (tools/dev/pack_python.sh). SUBBYTE_ARCHIVES is where tools/dev/static_libraries.sh leaves those of
# which Debian has no archive; the headers are Debian's.
set(SUBBYTE_ARCHIVES "" CACHE PATH "Where libfmt.a, libhwy.a and libzip.a are")
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
set(OPENSSL_USE_STATIC_LIBS ON)
set(SUBBYTE_LINK_OPTIONS -static-libstdc++ -static-libgcc -s)

foreach(library fmt hwy)
  find_package(${library} REQUIRED)
  get_target_property(configurations ${library}::${library} IMPORTED_CONFIGURATIONS)
  foreach(configuration ${configurations})
    set_target_properties(${library}::${library} PROPERTIES
      IMPORTED_LOCATION_${configuration} ${SUBBYTE_ARCHIVES}/lib${library}.a)
  endforeach()
endforeach()
