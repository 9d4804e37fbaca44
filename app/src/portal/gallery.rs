//! Every component in its states, to look at and to test. Only debug builds show it.

use leptos::prelude::*;

/// The gallery; an unknown page in release builds.
#[component]
pub fn Gallery() -> impl IntoView {
    #[cfg(debug_assertions)]
    return view! { <shown::Everything /> };
    #[cfg(not(debug_assertions))]
    view! { <super::refused::NotFound /> }
}

#[cfg(debug_assertions)]
mod shown {
    use crate::ui::*;
    use leptos::prelude::*;
    use perennial::{calendar::Timestamp, currency::Currency, money::Money, payment::CardBrand};

    /// A moment: 19 November 2026.
    const NOW: Timestamp = Timestamp(1_795_100_000);

    #[component]
    pub fn Everything() -> impl IntoView {
        let open = RwSignal::new(false);
        let seats = RwSignal::new(3);
        let wrong = Signal::derive(|| {
            Some("The number has a digit missing. Nothing was saved.".to_owned())
        });
        let eur = |minor| Money::new(minor, Currency::EUR);
        view! {
            <Page>
                <PageHeader title="Gallery" lead="Every component in its states." above=("/portal".to_owned(), "Overview".to_owned()) />
                <Banner tone=Tone::Danger title="Your payment of €24.00 failed." detail="Your bank declined the card. You still have access; we try again on 24 November.">
                    <Button kind=ButtonKind::Primary>"Pay €24.00"</Button>
                </Banner>
                <Banner tone=Tone::Positive title="Your plan has changed." detail="You paid €12.34 today. From 1 December it is €30.00 a month." />
                <Banner tone=Tone::Caution title="Your card expires this month." />
                <Banner tone=Tone::Info title="Your trial ends in 3 days." />
                <Section title="Buttons">
                    <div class="row">
                        <Button kind=ButtonKind::Primary>"Change plan"</Button>
                        " "<Button>"Change"</Button>
                        " "<Button kind=ButtonKind::Text>"Not now"</Button>
                        " "<Button kind=ButtonKind::Danger>"Cancel subscription"</Button>
                        " "<Button kind=ButtonKind::Primary busy=true>"Pay €24.00"</Button>
                        " "<LinkButton href="/portal">"A link"</LinkButton>
                    </div>
                </Section>
                <Section title="Amounts">
                    <div><Amount money=eur(2400) figure=Figure::Hero rhythm="a month" /></div>
                    <div><Amount money=eur(123_456_789) figure=Figure::Large rhythm="a year" /></div>
                    <div><Amount money=eur(-1266) />" · "<Date at=Timestamp(1_796_083_200) now=NOW /></div>
                    <div>
                        <Badge tone=Tone::Positive>"Active, renews on 1 December"</Badge><br />
                        <Badge tone=Tone::Caution>"Ends on 31 May"</Badge><br />
                        <Badge tone=Tone::Danger>"Payment failed, we try again on 4 May"</Badge><br />
                        <Badge>"Ended"</Badge>
                    </div>
                </Section>
                <Section title="Fields">
                    <Field name="gallery-name" label="Name or company" value="Ada Lovelace" autocomplete="name" />
                    <Field name="gallery-email" label="Email" hint="Invoices go there." kind="email" autocomplete="email" />
                    <Field name="gallery-card" label="Card number" value="4242 4242 4242 424" inputmode="numeric" error=wrong />
                    <Field name="gallery-cvc" label="Security code" size=6 inputmode="numeric" />
                    <Select name="gallery-country" label="Country" options=vec![("FR".into(), "France".into()), ("DE".into(), "Germany".into())] selected="DE" />
                    <Checkbox name="gallery-default" label="Use this card from now on" hint="Every subscription is paid with it." checked=true />
                    <Switch name="gallery-mail" label="Tell me before each renewal" hint="A week before the money is taken." checked=true />
                    <Switch name="gallery-mail-2" label="Tell me after each payment" />
                    <TextArea name="gallery-note" label="Anything else we should know?" maxlength=500 />
                    <Stepper name="gallery-seats" label="Seats" hint="1 to 50" value=seats maximum=50 />
                </Section>
                <Section title="Choices">
                    <Segments legend="How often">
                        <Segment name="gallery-rhythm" value="month">"Monthly"</Segment>
                        <Segment name="gallery-rhythm" value="year" checked=true>"Yearly "<small>"Save €48.00"</small></Segment>
                    </Segments>
                    <RadioRows legend="Plan">
                        <RadioRow name="gallery-plan" value="solo" title="Solo" detail="For one person with one garden."><Amount money=eur(900) rhythm="a month" /></RadioRow>
                        <RadioRow name="gallery-plan" value="team" title="Team" detail="Shared beds, seasons and a common calendar." checked=true><Amount money=eur(2400) rhythm="a month" /></RadioRow>
                        <RadioRow name="gallery-plan" value="estate" title="Estate" detail="Not offered with your billing address." disabled=true><Amount money=eur(9600) rhythm="a month" /></RadioRow>
                    </RadioRows>
                </Section>
                <Section title="Invoices" link=("/portal/invoices".to_owned(), "All invoices".to_owned())>
                    <Table caption="Invoices" heads=vec![("Date", false), ("For", false), ("Status", false), ("Amount", true)]>
                        {[2400, 1_234_567, -500].into_iter().map(|minor| view! {
                            <tr role="row">
                                <Cell><a class="whole-row" href="/portal"><Date at=NOW short=true /></a></Cell>
                                <Cell>"Team"</Cell>
                                <Cell><Badge tone=Tone::Positive>"Paid"</Badge></Cell>
                                <Cell figures=true><Amount money=eur(minor) /></Cell>
                            </tr>
                        }).collect::<Vec<_>>()}
                    </Table>
                    <Pager next=Some("/portal".to_owned()) previous=Some("/portal".to_owned()) />
                </Section>
                <Section title="A card">
                    <Card>
                        <Facts>
                            <Fact name="Pays with"><CardArt brand=CardBrand::Visa />" Visa •••• 4242"</Fact>
                            <Fact name="Address">"Ada Lovelace\n12 St James's Square\nLondon"</Fact>
                        </Facts>
                        <div class="row">
                            {[CardBrand::Visa, CardBrand::Mastercard, CardBrand::Amex, CardBrand::Unknown, CardBrand::Jcb, CardBrand::Unionpay, CardBrand::Discover, CardBrand::Diners].into_iter().map(|brand| view! { <CardArt brand=brand />" " }).collect::<Vec<_>>()}
                        </div>
                        <Disclosure summary="Why this amount" open=true><p>"Because."</p></Disclosure>
                    </Card>
                </Section>
                <Section title="Nothing and waiting">
                    <EmptyState glyph=Glyph::Document title="No invoices yet." detail="The first one comes on 1 December." />
                    <Skeleton />
                    <div><Button on:click=move |_| open.set(true)>"Open a dialog"</Button></div>
                    <Dialog open=open title="Remove this card?"><p>"Visa •••• 4242 will be forgotten."</p><div><Button kind=ButtonKind::Danger on:click=move |_| open.set(false)>"Remove card"</Button></div></Dialog>
                </Section>
                <Summary sticky=true>
                    <SummaryLine name="Subtotal"><Amount money=eur(1028) /></SummaryLine>
                    <SummaryLine name="VAT" detail="20%, Germany".to_owned()><Amount money=eur(206) /></SummaryLine>
                    <SummaryLine name="Due today" total=true><Amount money=eur(1234) /></SummaryLine>
                    <div class="acts"><Button kind=ButtonKind::Primary>"Pay €12.34 and change"</Button></div>
                </Summary>
            </Page>
        }
    }
}
