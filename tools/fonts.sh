#!/usr/bin/env bash
# Makes server/fonts: the subsets of free fonts that documents embed. They are committed; run this
# only to change what they cover. Needs Debian 12 with fonts-inter, fonts-noto-core and
# fonts-noto-cjk, and fonttools from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."

inter=/usr/share/fonts/opentype/inter
noto=/usr/share/fonts/truetype/noto
cjk=/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
for file in "$inter/Inter-Regular.otf" "$noto/NotoSansArabic-Regular.ttf" "$cjk"; do
  [ -f "$file" ] || {
    echo "missing $file: apt-get install fonts-inter fonts-noto-core fonts-noto-cjk" >&2
    exit 1
  }
done
command -v pyftsubset >/dev/null || {
  echo "missing pyftsubset: pip install fonttools" >&2
  exit 1
}

names='0,1,2,3,4,5,6,13,14,16,17'
mkdir -p server/fonts

# Latin, Greek, Cyrillic, punctuation, currency signs, and the figures of one width (tnum).
european='U+0020-007E,U+00A0-02FF,U+0300-036F,U+0370-052F,U+1E00-1FFF,U+2000-206F,U+2070-209F'
european+=',U+20A0-20CF,U+2100-218F,U+2190-2199,U+2212,U+2215,U+2219,U+221E,U+2248,U+2260,U+2264'
european+=',U+2265,U+25A1,U+2713,U+2717'
for weight in Regular SemiBold; do
  pyftsubset "$inter/Inter-$weight.otf" --unicodes="$european" --name-IDs="$names" \
    --layout-features=kern,ccmp,locl,mark,mkmk,tnum,lnum --no-hinting \
    --output-file="server/fonts/Inter-$weight.otf"
done

for script in Arabic Devanagari Hebrew Thai; do
  pyftsubset "$noto/NotoSans$script-Regular.ttf" --unicodes='*' --name-IDs="$names" \
    --layout-features='*' --no-hinting --output-file="server/fonts/NotoSans$script-Regular.ttf"
done

# GB 2312, JIS X 0208, the first level of Big5 and KS X 1001: what names and addresses are written
# with. `locl` keeps the Japanese, Korean and traditional forms beside the simplified ones.
unicodes=$(mktemp)
trap 'rm -f "$unicodes"' EXIT
python3 - >"$unicodes" <<'PYTHON'
def characters(codec, leads, trails):
    for lead in leads:
        for trail in trails:
            try:
                yield bytes([lead, trail]).decode(codec)
            except UnicodeDecodeError:
                pass

wanted = set(map(chr, [*range(0x3000, 0x3100), *range(0x31F0, 0x3200), *range(0xFF00, 0xFFF0)]))
wanted.update("㎡㏄髙﨑德濵栁碁喆堃昇玥璟瑄琪")
wanted.update(characters("gb2312", range(0xA1, 0xF8), range(0xA1, 0xFF)))
wanted.update(characters("euc_jp", range(0xA1, 0xF5), range(0xA1, 0xFF)))
wanted.update(characters("big5", range(0xA4, 0xC7), range(0x40, 0xFF)))
wanted.update(characters("euc_kr", range(0xB0, 0xC9), range(0xA1, 0xFF)))
east = {c for c in wanted if len(c) == 1 and ord(c) >= 0x2E80}
print(",".join(f"U+{ord(c):04X}" for c in sorted(east)))
PYTHON
pyftsubset "$cjk" --font-number=2 --unicodes-file="$unicodes" --name-IDs="$names" \
  --layout-features=locl --no-hinting --output-file=server/fonts/NotoSansCJKsc-Regular.otf

ls -l server/fonts
