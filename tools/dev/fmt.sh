# Formats the sources in place, or with `formatted` only says which are not.
# shellcheck shell=bash
load setup

readonly prettier_files=('*.ts' '*.mjs' '*.js' '*.css' '*.html')

verb_fmt() {
  setup_apt build check
  setup_python
  setup_node
  setup_npm
  sources '*.cc' '*.h' | xargs -r clang-format-14 -i
  sources "${prettier_files[@]}" | xargs -r prettier --write --log-level warn
}

formatted() {
  sources '*.cc' '*.h' | xargs -r clang-format-14 --dry-run --Werror
  sources "${prettier_files[@]}" | xargs -r prettier --check --log-level warn
}

sources() {
  git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
    [[ -f $file ]] && echo "$file"
  done
}
