# The Debian package, of the release build: ./dev package. What goes where, and nothing that
# is only for building or testing. tests/e2e/package.test.mjs looks into it.

# `cpack` packs what is built; it does not build the rest.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY TRUE)

set(package_doc usr/share/doc/rollcall)
install(TARGETS rollcall RUNTIME DESTINATION usr/bin COMPONENT package)
install(FILES deploy/systemd/rollcall.service DESTINATION lib/systemd/system COMPONENT package)
install(FILES deploy/debian/rollcall.conf DESTINATION usr/lib/sysusers.d COMPONENT package)
install(DIRECTORY DESTINATION etc/rollcall/secrets COMPONENT package
        DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
install(FILES deploy/debian/rollcall.toml DESTINATION etc/rollcall COMPONENT package)
install(FILES rollcall.toml README.md deploy/debian/copyright docs/operations.md
        DESTINATION ${package_doc} COMPONENT package)
install(FILES deploy/prometheus/rules.yml DESTINATION ${package_doc}/prometheus COMPONENT package)

set(CPACK_GENERATOR DEB)
# Not as the umask of whoever packs it has them.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};rollcall;package;/")
set(CPACK_PACKAGING_INSTALL_PREFIX /)
set(CPACK_PACKAGE_NAME rollcall)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The rollcall authors <rollcall@invalid>")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "keeps a PostgreSQL users table in step with Clerk
Clerk's webhooks are verified, stored before they are acknowledged, and worked off in any order to
the same rows; polling finds what they missed.")
# The libraries it is linked to are found by dpkg-shlibdeps.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS systemd)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS postgresql)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${CMAKE_SOURCE_DIR}/deploy/debian/conffiles;${CMAKE_SOURCE_DIR}/deploy/debian/postinst"
    "${CMAKE_SOURCE_DIR}/deploy/debian/prerm;${CMAKE_SOURCE_DIR}/deploy/debian/postrm")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
include(CPack)
